/root/w/surv/cases/build/lib/hwpoison.o: lib/hwpoison.c lib/hwpoison.h \
 lib/util.h lib/pfn.h
lib/hwpoison.h:
lib/util.h:
lib/pfn.h:
