/root/w/surv/cases/build/lib/facts.o: lib/facts.c lib/cpus.h lib/util.h \
 lib/facts.h lib/json.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/step.h \
 lib/meminit.h
lib/cpus.h:
lib/util.h:
lib/facts.h:
lib/json.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/step.h:
lib/meminit.h:
