/root/w/surv/cases/build/gmem/bind/private.o: gmem/bind/private.c \
 gmem/bind/bind.h lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/hostmem.h
gmem/bind/bind.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/hostmem.h:
