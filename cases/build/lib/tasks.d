/root/w/surv/cases/build/lib/tasks.o: lib/tasks.c lib/tasks.h lib/json.h \
 lib/util.h
lib/tasks.h:
lib/json.h:
lib/util.h:
