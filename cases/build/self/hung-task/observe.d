/root/w/surv/cases/build/self/hung-task/observe.o: \
 self/hung-task/observe.c lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/lkdtm.h lib/tasks.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/lkdtm.h:
lib/tasks.h:
