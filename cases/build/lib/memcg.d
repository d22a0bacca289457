/root/w/surv/cases/build/lib/memcg.o: lib/memcg.c lib/memcg.h lib/util.h \
 lib/observe.h lib/json.h lib/step.h
lib/memcg.h:
lib/util.h:
lib/observe.h:
lib/json.h:
lib/step.h:
