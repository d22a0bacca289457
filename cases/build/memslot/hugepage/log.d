/root/w/surv/cases/build/memslot/hugepage/log.o: memslot/hugepage/log.c \
 lib/cpus.h lib/util.h memslot/hugepage/huge.h lib/case.h lib/observe.h \
 lib/json.h lib/step.h lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/random.h
lib/cpus.h:
lib/util.h:
memslot/hugepage/huge.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/memslot.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/random.h:
