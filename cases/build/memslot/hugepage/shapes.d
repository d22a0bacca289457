/root/w/surv/cases/build/memslot/hugepage/shapes.o: \
 memslot/hugepage/shapes.c lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h memslot/hugepage/huge.h \
 lib/case.h lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
memslot/hugepage/huge.h:
lib/case.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
