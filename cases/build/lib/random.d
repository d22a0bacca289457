/root/w/surv/cases/build/lib/random.o: lib/random.c lib/random.h \
 lib/util.h
lib/random.h:
lib/util.h:
