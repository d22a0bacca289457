/root/w/surv/cases/build/self/signal/observe.o: self/signal/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
