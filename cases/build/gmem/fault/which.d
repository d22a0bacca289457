/root/w/surv/cases/build/gmem/fault/which.o: gmem/fault/which.c \
 gmem/fault/fault.h lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/hostmem.h
gmem/fault/fault.h:
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
