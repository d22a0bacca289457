/root/w/surv/cases/build/lib/nodes.o: lib/nodes.c lib/nodes.h lib/util.h
lib/nodes.h:
lib/util.h:
