/root/w/surv/cases/build/lib/memslot.o: lib/memslot.c lib/memslot.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h
lib/memslot.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
