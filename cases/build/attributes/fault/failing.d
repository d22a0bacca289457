/root/w/surv/cases/build/attributes/fault/failing.o: \
 attributes/fault/failing.c lib/failalloc.h lib/util.h \
 attributes/fault/fault.h lib/case.h lib/observe.h lib/json.h lib/step.h \
 lib/dual.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/failalloc.h:
lib/util.h:
attributes/fault/fault.h:
lib/case.h:
lib/observe.h:
lib/json.h:
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
