/root/w/surv/cases/build/lib/hostmem.o: lib/hostmem.c lib/hostmem.h \
 lib/util.h lib/observe.h lib/json.h lib/step.h lib/supervise.h \
 lib/case.h
lib/hostmem.h:
lib/util.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/supervise.h:
lib/case.h:
