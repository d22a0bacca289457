/root/w/surv/cases/build/lib/main.o: lib/main.c lib/case.h lib/observe.h \
 lib/json.h lib/util.h lib/step.h lib/facts.h lib/program.h lib/settle.h \
 lib/supervise.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/facts.h:
lib/program.h:
lib/settle.h:
lib/supervise.h:
