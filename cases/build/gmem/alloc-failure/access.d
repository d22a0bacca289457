/root/w/surv/cases/build/gmem/alloc-failure/access.o: \
 gmem/alloc-failure/access.c gmem/alloc-failure/alloc.h lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/failsweep.h \
 lib/failalloc.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/hostmem.h lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h \
 lib/sigbus.h
gmem/alloc-failure/alloc.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/failsweep.h:
lib/failalloc.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/sigbus.h:
