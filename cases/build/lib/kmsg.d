/root/w/surv/cases/build/lib/kmsg.o: lib/kmsg.c lib/kmsg.h lib/util.h
lib/kmsg.h:
lib/util.h:
