/root/w/surv/cases/build/self/hang/observe.o: self/hang/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h lib/cpus.h \
 lib/lkdtm.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/cpus.h:
lib/lkdtm.h:
