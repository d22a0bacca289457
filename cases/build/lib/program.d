/root/w/surv/cases/build/lib/program.o: lib/program.c lib/observe.h \
 lib/json.h lib/util.h lib/step.h lib/program.h
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/program.h:
