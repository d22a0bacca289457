/root/w/surv/cases/build/self/malformed/observe.o: \
 self/malformed/observe.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
