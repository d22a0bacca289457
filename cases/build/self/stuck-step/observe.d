/root/w/surv/cases/build/self/stuck-step/observe.o: \
 self/stuck-step/observe.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
