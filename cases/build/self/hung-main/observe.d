/root/w/surv/cases/build/self/hung-main/observe.o: \
 self/hung-main/observe.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/lkdtm.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/lkdtm.h:
