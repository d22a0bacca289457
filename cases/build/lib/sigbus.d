/root/w/surv/cases/build/lib/sigbus.o: lib/sigbus.c lib/observe.h \
 lib/json.h lib/util.h lib/step.h lib/sigbus.h
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/sigbus.h:
