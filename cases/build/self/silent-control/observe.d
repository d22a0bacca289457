/root/w/surv/cases/build/self/silent-control/observe.o: \
 self/silent-control/observe.c lib/case.h lib/observe.h lib/json.h \
 lib/util.h lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
