/root/w/surv/cases/build/self/fail/observe.o: self/fail/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
