/root/w/surv/cases/build/gmem/fdinfo/fdinfo.o: gmem/fdinfo/fdinfo.c \
 gmem/fdinfo/fdinfo.h lib/util.h
gmem/fdinfo/fdinfo.h:
lib/util.h:
