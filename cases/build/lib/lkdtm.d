/root/w/surv/cases/build/lib/lkdtm.o: lib/lkdtm.c lib/lkdtm.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h
lib/lkdtm.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
