/root/w/surv/cases/build/lib/meminit.o: lib/meminit.c lib/meminit.h \
 lib/util.h
lib/meminit.h:
lib/util.h:
