/root/w/surv/cases/build/attributes/prefault/signals.o: \
 attributes/prefault/signals.c lib/hostmem.h lib/util.h \
 attributes/prefault/prefault.h lib/case.h lib/observe.h lib/json.h \
 lib/step.h lib/dual.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/sigbus.h \
 lib/supervise.h lib/case.h
lib/hostmem.h:
lib/util.h:
attributes/prefault/prefault.h:
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
lib/sigbus.h:
lib/supervise.h:
lib/case.h:
