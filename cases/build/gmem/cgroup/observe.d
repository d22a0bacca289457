/root/w/surv/cases/build/gmem/cgroup/observe.o: gmem/cgroup/observe.c \
 lib/case.h lib/observe.h lib/json.h lib/util.h lib/step.h lib/gmem.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/hostmem.h lib/memcg.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/sigbus.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/memcg.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/sigbus.h:
