/root/w/surv/cases/build/lib/vcpu.o: lib/vcpu.c lib/vcpu.h \
 ../guest/probe.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h \
 lib/json.h lib/util.h lib/step.h
lib/vcpu.h:
../guest/probe.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
