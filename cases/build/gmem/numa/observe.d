/root/w/surv/cases/build/gmem/numa/observe.o: gmem/numa/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h lib/cpus.h \
 lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/hostmem.h lib/memslot.h \
 lib/nodes.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/cpus.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/memslot.h:
lib/nodes.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
