/root/w/surv/cases/build/memslot/update/host_memory.o: \
 memslot/update/host_memory.c lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/hostmem.h \
 memslot/update/update.h lib/case.h lib/memslot.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/hostmem.h:
memslot/update/update.h:
lib/case.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
