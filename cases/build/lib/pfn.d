/root/w/surv/cases/build/lib/pfn.o: lib/pfn.c lib/pfn.h lib/util.h
lib/pfn.h:
lib/util.h:
