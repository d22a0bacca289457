/root/w/surv/cases/build/gmem/lifetime/observe.o: gmem/lifetime/observe.c \
 gmem/lifetime/lifetime.h lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/hostmem.h \
 lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
gmem/lifetime/lifetime.h:
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
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
