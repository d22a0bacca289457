/root/w/surv/cases/build/lib/failsweep.o: lib/failsweep.c lib/failsweep.h \
 lib/failalloc.h lib/util.h lib/observe.h lib/json.h lib/step.h
lib/failsweep.h:
lib/failalloc.h:
lib/util.h:
lib/observe.h:
lib/json.h:
lib/step.h:
