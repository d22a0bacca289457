/root/w/surv/cases/build/lib/step.o: lib/step.c lib/observe.h lib/json.h \
 lib/util.h lib/step.h lib/supervise.h lib/case.h
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/supervise.h:
lib/case.h:
