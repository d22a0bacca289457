/root/w/surv/cases/build/lib/dual.o: lib/dual.c lib/dual.h lib/gmem.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h \
 lib/hostmem.h
lib/dual.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/hostmem.h:
