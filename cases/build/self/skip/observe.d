/root/w/surv/cases/build/self/skip/observe.o: self/skip/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
