/root/w/surv/cases/build/lib/failalloc.o: lib/failalloc.c lib/failalloc.h \
 lib/util.h
lib/failalloc.h:
lib/util.h:
