/root/w/surv/cases/build/lib/supervise.o: lib/supervise.c lib/kmsg.h \
 lib/util.h lib/random.h lib/sigbus.h lib/json.h lib/supervise.h \
 lib/case.h lib/observe.h lib/step.h lib/tasks.h
lib/kmsg.h:
lib/util.h:
lib/random.h:
lib/sigbus.h:
lib/json.h:
lib/supervise.h:
lib/case.h:
lib/observe.h:
lib/step.h:
lib/tasks.h:
