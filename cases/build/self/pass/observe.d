/root/w/surv/cases/build/self/pass/observe.o: self/pass/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
