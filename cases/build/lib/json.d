/root/w/surv/cases/build/lib/json.o: lib/json.c lib/json.h lib/util.h
lib/json.h:
lib/util.h:
