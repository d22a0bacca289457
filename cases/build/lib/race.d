/root/w/surv/cases/build/lib/race.o: lib/race.c lib/observe.h lib/json.h \
 lib/util.h lib/step.h lib/race.h lib/supervise.h lib/case.h
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/race.h:
lib/supervise.h:
lib/case.h:
