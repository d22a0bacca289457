/root/w/surv/cases/build/lib/kvm.o: lib/kvm.c lib/kvm.h lib/kvm_abi.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/vm.h
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/vm.h:
