/root/w/surv/cases/build/attributes/set/arguments.o: \
 attributes/set/arguments.c lib/hostmem.h lib/util.h attributes/set/set.h \
 lib/case.h lib/observe.h lib/json.h lib/step.h lib/dual.h lib/gmem.h \
 lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h
lib/hostmem.h:
lib/util.h:
attributes/set/set.h:
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
