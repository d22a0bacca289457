/root/w/surv/cases/build/lib/settle.o: lib/settle.c lib/json.h lib/util.h \
 lib/observe.h lib/step.h lib/settle.h
lib/json.h:
lib/util.h:
lib/observe.h:
lib/step.h:
lib/settle.h:
