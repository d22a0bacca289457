/root/w/surv/cases/build/attributes/hugepage/conversions.o: \
 attributes/hugepage/conversions.c attributes/hugepage/huge.h lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/gmem.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h lib/vcpu.h \
 ../guest/probe.h
attributes/hugepage/huge.h:
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
