/root/w/surv/cases/build/lib/usage.o: lib/usage.c lib/hostmem.h \
 lib/util.h lib/usage.h lib/observe.h lib/json.h lib/step.h
lib/hostmem.h:
lib/util.h:
lib/usage.h:
lib/observe.h:
lib/json.h:
lib/step.h:
