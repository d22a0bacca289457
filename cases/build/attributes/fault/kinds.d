/root/w/surv/cases/build/attributes/fault/kinds.o: \
 attributes/fault/kinds.c attributes/fault/fault.h lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/dual.h lib/gmem.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h lib/hostmem.h
attributes/fault/fault.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/dual.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/hostmem.h:
