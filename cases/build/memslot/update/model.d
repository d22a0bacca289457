/root/w/surv/cases/build/memslot/update/model.o: memslot/update/model.c \
 lib/random.h lib/util.h memslot/update/update.h lib/case.h lib/observe.h \
 lib/json.h lib/step.h lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/random.h:
lib/util.h:
memslot/update/update.h:
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
