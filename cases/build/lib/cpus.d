/root/w/surv/cases/build/lib/cpus.o: lib/cpus.c lib/cpus.h lib/util.h \
 lib/observe.h lib/json.h lib/step.h
lib/cpus.h:
lib/util.h:
lib/observe.h:
lib/json.h:
lib/step.h:
