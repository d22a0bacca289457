/root/w/surv/cases/build/attributes/hugepage/observe.o: \
 attributes/hugepage/observe.c lib/hostmem.h lib/util.h \
 attributes/hugepage/huge.h lib/case.h lib/observe.h lib/json.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/stats.h
lib/hostmem.h:
lib/util.h:
attributes/hugepage/huge.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/stats.h:
